package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/hotcut/hotcut/proxy/config"
)

func newKeysCmd(a *app) *cobra.Command {
	binding := false
	cmd := &cobra.Command{
		Use:   "new",
		Short: "Print a line for the key file of all edges",
		Long: `New prints one line: a key id and 32 random bytes in base64. Put it first into the key file of every edge to let it sign,
after it has stood there as second long enough for all edges to know it; the old line goes when its calls have ended.

With --binding it prints the key that names the phones' bindings on the registrars. The file holds one, on every edge the
same, and it never rotates: under another name a registrar would take every phone for a new one.`,
		Args: exact(0),
		RunE: func(*cobra.Command, []string) error {
			line := config.MintKeyLine()
			if binding {
				line = config.MintBindingLine()
			}
			line = strings.TrimSpace(line)
			return a.show(result{kind: "Key", fresh: live, data: map[string]string{"line": line}, table: func(w io.Writer) { fmt.Fprintln(w, line) }})
		},
	}
	cmd.Flags().BoolVar(&binding, "binding", false, "the key of bindings, which never rotates")
	return group("keys", "Make token keys", cmd)
}
