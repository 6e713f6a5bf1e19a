package redisstore

import (
	"fmt"
	"strconv"
)

// keys names every key of one namespace. Its value is their prefix, with the hash tag.
type keys string

func (k keys) log() string     { return string(k) + "log" }
func (k keys) head() string    { return string(k) + "head" }
func (k keys) tenants() string { return string(k) + "tenants" }
func (k keys) roots() string   { return string(k) + "roots" }
func (k keys) buckets() string { return string(k) + "buckets" }
func (k keys) chains() string  { return string(k) + "chains" }
func (k keys) ckpts() string   { return string(k) + "ckpts" }
func (k keys) pieces() string  { return string(k) + "pieces" }
func (k keys) nodes() string   { return string(k) + "nodes" }
func (k keys) lease() string   { return string(k) + "lease" }
func (k keys) lock() string    { return string(k) + "ckpt:lock" }

func (k keys) idem(key string) string { return string(k) + "idem:" + key }

func (k keys) ckpt(rev uint64, i int) string { return fmt.Sprintf("%sckpt:%d:%d", string(k), rev, i) }

func (k keys) piece(id string, i int) string { return fmt.Sprintf("%spiece:%s:%d", string(k), id, i) }

// Staged content, renamed by the commit.
func (k keys) stagedTenants(id string) string { return string(k) + "stage:" + id + ":tenants" }
func (k keys) stagedBuckets(id string) string { return string(k) + "stage:" + id + ":buckets" }

func itoa(n uint64) string { return strconv.FormatUint(n, 10) }

func streamID(rev uint64) string { return itoa(rev) + "-0" }
