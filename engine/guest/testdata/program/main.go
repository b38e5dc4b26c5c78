// Program is a large ordinary program for tests: what it does does not matter,
// but that the compiler sees what it imports.
package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"regexp"
)

func main() {
	r, err := http.NewRequest("GET", "http://example.com/a?b=c", nil)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println(regexp.MustCompile(`b=(\w+)`).FindString(r.URL.String()))
	if err := json.NewEncoder(os.Stdout).Encode(r.URL); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
