package modstore

import (
	"os"
	"testing"

	"go.uber.org/goleak"
)

// TestMain also is the child process of the tests that need several: see
// children in process_test.go.
func TestMain(m *testing.M) {
	if role := os.Getenv(childRole); role != "" {
		os.Exit(children[role](os.Getenv(childDir)))
	}
	goleak.VerifyTestMain(m)
}
