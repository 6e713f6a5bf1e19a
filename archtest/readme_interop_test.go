//go:build interop

package archtest

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestReadmeRuns runs every sh block of the README that is marked <!-- run -->, in order, in one empty folder, with a
// hotcut built from this tree.
func TestReadmeRuns(t *testing.T) {
	bin, dir := t.TempDir(), t.TempDir()
	if out, err := exec.Command("go", "build", "-o", filepath.Join(bin, "hotcut"), "../cmd/hotcut").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	blocks := regexp.MustCompile("(?s)<!-- run -->\n```sh\n(.*?)```").FindAllStringSubmatch(read1(t, "README.md"), -1)
	if len(blocks) == 0 {
		t.Fatal("the README has no block to run")
	}
	for _, block := range blocks {
		script := block[1]
		cmd := exec.CommandContext(t.Context(), "bash", "-eu", "-o", "pipefail", "-c", script)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "PATH="+bin+":"+os.Getenv("PATH"), "HOME="+dir, "XDG_CONFIG_HOME="+dir, "XDG_CACHE_HOME="+dir)
		out, err := cmd.CombinedOutput()
		t.Logf("%s\n%s", strings.TrimSpace(script), out)
		if err != nil {
			t.Fatalf("a block of the README failed: %v", err)
		}
	}
}
