package proxy

import "github.com/hotcut/hotcut/proxy/digest"

// Secret is what the file of secrets knows of a user for a realm; false: nothing. A reload puts another file into force. It
// must not be kept: ask again.
func (e *Edge) Secret(user, domain, realm string) (digest.Secret, bool) {
	return e.keeper.secrets.Load().Find(user, domain, realm)
}
