// Package proxy is Hotcut's SIP edge.
package proxy
