package near

import "testing"

func TestWord(t *testing.T) {
	words := []string{"restart", "shutdown", "on", "id"}
	for word, want := range map[string]string{
		"restrat": "restart", "restart": "restart", "shutdwn": "shutdown", "shut": "", "": "", "o": "on", "xy": "", "ids": "id",
	} {
		if got := Word(word, words); got != want {
			t.Errorf("%q: %q, want %q", word, got, want)
		}
	}
}
