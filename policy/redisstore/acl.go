package redisstore

// EdgeRules are the words of ACL SETUSER for the Redis user of edges: it reads a namespace and writes only its roster
// and what edges share beside the policy.
// They go behind `ACL SETUSER edge on >PASSWORD`.
func EdgeRules(ns string) []string {
	k := keys("{hotcut:" + ns + "}:")
	return []string{
		"resetkeys", "%R~" + string(k) + "*", "~" + k.nodes(), "~" + DataPrefix(ns, "*") + "*",
		"-@all", "+@read", "+@connection", "+hset", "+evalsha", "+eval", "+script|load", "+time",
		"+set", "+zadd", "+zremrangebyscore", "+xadd",
		"-@dangerous", "+role", "+wait", "+cluster|slots", // the last is how a client finds its way in a Cluster
	}
}
