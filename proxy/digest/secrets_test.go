package digest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"testing"
	"testing/iotest"
)

const (
	md5Digits    = "0123456789abcdef0123456789ABCDEF"
	sha256Digits = md5Digits + md5Digits
	secretsFile  = "\ufeff# secrets of acme\r\n" +
		"201@acme.example acme.example ha1-md5:" + md5Digits + "\r\n" +
		"\n" +
		"  # indented\n" +
		"202@ACME.example acme.example ha1-sha256:" + sha256Digits + " ha1-md5:" + md5Digits + "\n" +
		"203@acme.example * password: pass # word with spaces \n" +
		"203@acme.example acme.example password:for the realm\n" +
		"204@acme.example \"Acme PBX\" username:dev-204 password:p4\n" +
		"user@x@acme.example\tacme.example\tpassword:p5\n" +
		"*@acme.example * password:everybody's\n" +
		"*@acme.example core password:core's"
)

func TestFind(t *testing.T) {
	s, err := LoadSecrets(strings.NewReader(secretsFile))
	if err != nil || s.Len() != 8 {
		t.Fatal(err, s.Len())
	}
	hash := [16]byte{0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef, 0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef}
	for _, c := range []struct {
		user, domain, realm string
		username, password  string
		md5, sha256         bool
	}{
		{"201", "acme.example", "acme.example", "201", "", true, false},
		{"201", "Acme.Example", "acme.example", "201", "", true, false},
		{"202", "acme.example", "acme.example", "202", "", true, true},
		{"203", "acme.example", "acme.example", "203", "for the realm", false, false},
		{"203", "acme.example", "anything", "203", " pass # word with spaces ", false, false},
		{"203", "acme.example", "core", "203", " pass # word with spaces ", false, false},
		{"204", "acme.example", "Acme PBX", "dev-204", "p4", false, false},
		{"user@x", "acme.example", "acme.example", "user@x", "p5", false, false},
		{"201", "acme.example", "other", "201", "everybody's", false, false},
		{"999", "acme.example", "other", "999", "everybody's", false, false},
		{"999", "acme.example", "core", "999", "core's", false, false},
	} {
		got, ok := s.Find(c.user, c.domain, c.realm)
		if !ok || got.Username != c.username || got.Password != c.password || (got.HA1MD5 == hash) != c.md5 || (got.HA1SHA256 != [32]byte{}) != c.sha256 {
			t.Errorf("%s@%s %s: %t, username %q, password %q", c.user, c.domain, c.realm, ok, got.Username, got.Password)
		}
	}
	if _, ok := s.Find("201", "other.example", "acme.example"); ok {
		t.Error("found in another domain")
	}
	var none *Secrets
	if _, ok := none.Find("201", "acme.example", "acme.example"); ok || none.Len() != 0 {
		t.Error("found in nothing")
	}
}

func TestLoadSecretsRefuses(t *testing.T) {
	const ok = "201@acme.example r password:geheim\n"
	for _, c := range []struct {
		line string
		want error
	}{
		{"201 r password:geheim", errUser},
		{"@acme.example r password:geheim", errUser},
		{"201@ r password:geheim", errUser},
		{`2"01@a r password:geheim`, errUser},
		{"201@a", errRealm},
		{"201@a password:geheim", errRealm},
		{"201@a ha1-md5:geheim", errRealm},
		{`201@a "geheim`, errRealm},
		{`201@a "" password:geheim`, errRealm},
		{`201@a "r"password:geheim`, errRealm},
		{"201@a r", errNothing},
		{"201@a r geheim", errWord},
		{"201@a r s password:geheim", errWord},
		{"201@a r ha1-md5:geheim", errMD5},
		{"201@a r ha1-md5:" + md5Digits + "00", errMD5},
		{"201@a r ha1-md5:" + strings.Repeat("0", 32), errMD5},
		{"201@a r ha1-md5:" + md5Digits + " ha1-md5:" + md5Digits, errMD5},
		{"201@a r ha1-sha256:" + md5Digits, errSHA256},
		{"201@a r ha1-md5:" + md5Digits + " geheim", errWord},
		{"201@a r password:", errEmpty},
		{"201@a * ha1-md5:" + md5Digits, errAnyRealm},
		{"*@a r ha1-md5:" + md5Digits, errAnyUser},
		{"*@a r username:x password:geheim", errAnyUser},
		{"201@a r username: password:geheim", errName},
		{`201@a r username:"x" password:geheim`, errName},
		{"201@a r password:ge\x00heim", errControl},
		{"201@a r password:" + strings.Repeat("geheim", 200), errTooLong},
		{"201@a r password:" + strings.Repeat("geheim", 20_000), errTooLong},
		{"201@Acme.Example r password:geheim", errTwice},
	} {
		s, err := LoadSecrets(strings.NewReader("# c\n" + ok + c.line + "\n" + ok))
		if s != nil || !errors.Is(err, c.want) {
			t.Errorf("%.60s: %v", c.line, err)
			continue
		}
		if !strings.HasPrefix(err.Error(), "line 3: ") || strings.Contains(err.Error(), "geheim") || strings.Contains(err.Error(), md5Digits) {
			t.Errorf("%.60s: %v", c.line, err)
		}
	}
}

func TestLoadSecretsBounds(t *testing.T) {
	edge := "201@a r password:"
	edge += strings.Repeat("p", maxLine-len(edge))
	for _, end := range []string{"", "\n", "\r\n"} {
		if _, err := LoadSecrets(strings.NewReader(edge + end)); err != nil {
			t.Errorf("the longest line, ending in %q: %v", end, err)
		}
		if _, err := LoadSecrets(strings.NewReader(edge + "p" + end)); !errors.Is(err, errTooLong) {
			t.Errorf("one byte more, ending in %q: %v", end, err)
		}
	}
	if _, err := LoadSecrets(strings.NewReader(strings.Repeat("\n", maxLines))); err != nil {
		t.Error(err)
	}
	if _, err := LoadSecrets(strings.NewReader(strings.Repeat("\n", maxLines+1))); err == nil || !strings.Contains(err.Error(), "1000000 lines") {
		t.Error(err)
	}
	broken := io.MultiReader(strings.NewReader("# one\n"), iotest.ErrReader(io.ErrUnexpectedEOF))
	if _, err := LoadSecrets(broken); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Error(err)
	}
}

// Nothing that formats, encodes or logs shows a secret.
func TestSecretsStayHidden(t *testing.T) {
	secrets, err := LoadSecrets(strings.NewReader("201@acme.example r password:geheim\n202@acme.example r ha1-md5:" + md5Digits + "\n"))
	if err != nil {
		t.Fatal(err)
	}
	byPassword, _ := secrets.Find("201", "acme.example", "r")
	byHash, _ := secrets.Find("202", "acme.example", "r")
	type holder struct {
		Secret  Secret
		Pointer *Secret
		All     *Secrets
	}
	var out bytes.Buffer
	log := slog.New(slog.NewTextHandler(&out, nil))
	jsonLog := slog.New(slog.NewJSONHandler(&out, nil))
	for _, v := range []any{
		byPassword, &byPassword, byHash, secrets, *secrets, []Secret{byPassword, byHash},
		map[string]Secret{"x": byPassword}, holder{byPassword, &byHash, secrets}, &holder{byHash, &byPassword, secrets},
	} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%t", "%08b"} {
			fmt.Fprintf(&out, verb+"\n", v)
		}
		fmt.Fprintln(&out, v)
		b, err := json.Marshal(v)
		if err != nil {
			t.Error(err)
		}
		out.Write(b)
		log.Info("x", "v", v)
		jsonLog.Info("x", "v", v)
	}
	low := strings.ToLower(out.String())
	for _, leak := range []string{"geheim", fmt.Sprintf("%x", "geheim"), "0123456789abcdef", "[1 35 69", "0x23, 0x45", "acme.example"} {
		if strings.Contains(low, leak) {
			t.Errorf("%q got out", leak)
		}
	}
	if !strings.Contains(low, hidden) {
		t.Error("nothing was printed at all")
	}
}
