// This package against bitnet.h: every function of the header is called here or listed in not_bound.txt with a reason,
// every status and family has its Go name. So a header that grows fails here until somebody has decided.

package bitnet

import (
	"os"
	"path/filepath"
	"regexp"
	"sort"
	"strings"
	"testing"
)

func header(t *testing.T) string {
	text, err := os.ReadFile(filepath.Join(fromEnvironment("BITNET_INCLUDE", "../.."), "bitnet.h"))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// used are the names after "C." in the sources of the package.
func used(t *testing.T) map[string]bool {
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	name := regexp.MustCompile(`\bC\.((?:bitnet|BITNET)_\w+)`)
	names := map[string]bool{}
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, found := range name.FindAllStringSubmatch(string(text), -1) {
			names[found[1]] = true
		}
	}
	return names
}

func notBound(t *testing.T) map[string]string {
	text, err := os.ReadFile("not_bound.txt")
	if err != nil {
		t.Fatal(err)
	}
	reasons := map[string]string{}
	for _, line := range strings.Split(string(text), "\n") {
		if line = strings.TrimSpace(line); line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		parts := strings.SplitN(line, ":", 2)
		if len(parts) != 2 || strings.TrimSpace(parts[1]) == "" {
			t.Errorf("not_bound.txt: %q has no reason", line)
			continue
		}
		reasons[parts[0]] = strings.TrimSpace(parts[1])
	}
	return reasons
}

func TestEveryFunctionOfTheHeaderIsUsedOrListed(t *testing.T) {
	declaration := regexp.MustCompile(`(?m)^BITNET_API [^;(]*?\b(bitnet_\w+)\(`)
	uses, reasons := used(t), notBound(t)
	known := map[string]bool{}
	var problems []string
	for _, found := range declaration.FindAllStringSubmatch(header(t), -1) {
		name := found[1]
		known[name] = true
		switch _, listed := reasons[name]; {
		case !uses[name] && !listed:
			problems = append(problems, name+" is neither used nor in not_bound.txt")
		case uses[name] && listed:
			problems = append(problems, name+" is used, and in not_bound.txt, too")
		}
	}
	for name := range reasons {
		if !known[name] {
			problems = append(problems, name+" is in not_bound.txt, but not in bitnet.h")
		}
	}
	if len(known) < 200 {
		t.Errorf("only %d functions were found in the header", len(known))
	}
	sort.Strings(problems)
	for _, problem := range problems {
		t.Error(problem)
	}
	t.Logf("%d functions, %d not bound", len(known), len(reasons))
}

func TestEveryStatusAndFamilyHasAGoName(t *testing.T) {
	uses := used(t)
	row := regexp.MustCompile(`X\((BITNET_(?:E|FAMILY)_\w+), (-?\d+), "([^"]*)"\)`)
	rows := row.FindAllStringSubmatch(header(t), -1)
	if len(rows) < 60 {
		t.Fatalf("only %d rows were found in the header", len(rows))
	}
	for _, found := range rows {
		if !uses[found[1]] {
			t.Errorf("%s has no Go constant", found[1])
		}
	}
	if ErrKVFull.Name() != "BITNET_E_KV_FULL" || ErrKVFull.Family() != FamilyCapacity || ErrKVFull.Variant() == "" {
		t.Errorf("%v: %v, %v", ErrKVFull, ErrKVFull.Family(), ErrKVFull.Variant())
	}
	if len(ErrConfig.Variables()) == 0 || !ErrTimeout.Recoverable() || ErrInternal.Severity() != SeverityFatal {
		t.Errorf("variables %v, recoverable %v, severity %v", ErrConfig.Variables(), ErrTimeout.Recoverable(),
			ErrInternal.Severity())
	}
}
