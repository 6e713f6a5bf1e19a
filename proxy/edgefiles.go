package proxy

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/hotcut/hotcut/policy"
	"github.com/hotcut/hotcut/proxy/callrecord"
	"github.com/hotcut/hotcut/proxy/choice"
	"github.com/hotcut/hotcut/proxy/location"
	"github.com/hotcut/hotcut/proxy/transaction"
)

func (e *Edge) openFiles() (err error) {
	dir := e.cfg.State
	if err = os.MkdirAll(dir, 0o750); err != nil {
		return fmt.Errorf("state: %w", err)
	}
	if e.ring, err = choice.Open(filepath.Join(dir, "choices"), e.cfg.Limits.Choices); err != nil {
		return err
	}
	if e.location, err = location.Open(location.Options{Path: filepath.Join(dir, "bindings"), Limit: e.cfg.Limits.Bindings, Node: e.cfg.Node, Log: e.log}); err != nil {
		return err
	}
	if e.dialogFile, err = choice.OpenDialogs(filepath.Join(dir, "dialogs"), e.cfg.Limits.Dialogs); err != nil {
		return err
	}
	e.records, err = callrecord.Open(filepath.Join(dir, "calls"), e.cfg.Limits.CallRecordBytes, e.cfg.Limits.CallRecords)
	return err
}

func (e *Edge) closeFiles() {
	if e.ring != nil {
		e.ring.Close()
	}
	if e.dialogFile != nil {
		e.dialogFile.Close()
	}
	if e.location != nil {
		e.location.Close()
	}
}

// restoreDialogs reads the living calls of the process before this one back into the index.
func (e *Edge) restoreDialogs(now int64) {
	for x := range e.dialogFile.All() {
		if now-x.Seen > int64(dialogAge) {
			e.dialogFile.End(x.Key)
			continue
		}
		h := e.callHash([]byte(x.CallID))
		s := e.shardOf(h)
		s.mu.Lock()
		d := &dialog{key: x.Key, callHash: h, callID: x.CallID, tenant: x.Tenant, platform: policy.Platform(x.Platform), rev: x.Rev,
			since: x.Since, seen: x.Seen, state: dialogTalking, restored: true}
		for _, t := range e.topo.Load().targets {
			if uint64(t.hash) == x.Target && t.platform == d.platform {
				d.target = t.name
			}
		}
		d.timer.Owner = d
		s.wheel.Set(&d.timer, transaction.Time(x.Seen).Add(dialogAge))
		s.dialogs[d.key] = d
		s.unlock(h)
	}
}
