// Package storetest is the contract of policy.Store as tests: redisstore and filestore run it, and so may any other.
//
// It promises that a store which passes commits linearly (each number once, each chain whole, no acknowledged record
// lost), refuses what conflicts, and rebases what does not. It does not test what one process alone can not see:
// crashes, partitions and failover stand beside each store.
package storetest
