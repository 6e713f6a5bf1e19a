package main

import (
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/hotcut/hotcut/proxy/lab"
)

// The scripts of the verbs that name their tenants, with a Redis for the file store: a store that reads those tenants
// alone, where the file store reads the whole policy. What a person sees is the same to the letter.
func TestScriptOnRedis(t *testing.T) {
	var files []string
	for _, name := range []string{"flip", "handover", "hold", "registrations", "rollback", "tenant", "undo"} {
		files = append(files, filepath.Join("testdata/script", name+".txtar"))
	}
	testscript.Run(t, testscript.Params{
		Files:               files,
		RequireExplicitExec: true,
		Cmds:                verbsOfScripts,
		Setup: func(env *testscript.Env) error {
			if err := setup(env); err != nil {
				return err
			}
			r, err := lab.StartRedis()
			if err != nil {
				return err
			}
			env.Defer(r.Stop)
			env.Setenv("HOTCUT_STORE", r.URL())
			return nil
		},
	})
}
