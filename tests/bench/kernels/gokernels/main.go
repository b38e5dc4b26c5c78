// Command gokernels is a guest with what Go programs spend their time on: it
// runs the kernel named by its first argument as often as its second says.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"sort"
	"strconv"
	"strings"
)

type record struct {
	Name  string             `json:"name"`
	ID    int                `json:"id"`
	Tags  []string           `json:"tags"`
	Score map[string]float64 `json:"score"`
}

func jsons(n int) (sum int) {
	r := record{Name: "kate", ID: 7, Tags: []string{"a", "b", "peer"}, Score: map[string]float64{"x": 1.5, "y": 2.25}}
	for range n {
		b, err := json.Marshal(r)
		if err != nil {
			panic(err)
		}
		var back record
		if err := json.Unmarshal(b, &back); err != nil {
			panic(err)
		}
		sum += len(b) + back.ID
	}
	return sum
}

func sorts(n int) (sum int) {
	words := make([]string, 5000)
	for range n {
		seed := uint32(1)
		for i := range words {
			seed = seed*1664525 + 1013904223
			words[i] = strconv.Itoa(int(seed))
		}
		sort.Strings(words)
		sum += len(words[1234])
	}
	return sum
}

func regexps(n int) (sum int) {
	re := regexp.MustCompile(`([a-z]+)@([a-z]+)\.(com|org|net)`)
	text := strings.Repeat("no match here, but mail kate@example.org or alex at home, x@y.z ", 20)
	for range n {
		sum += len(re.FindAllStringSubmatchIndex(text, -1))
	}
	return sum
}

func main() {
	n, err := strconv.Atoi(os.Args[2])
	if err != nil {
		panic(err)
	}
	fmt.Println(map[string]func(int) int{"json": jsons, "sort": sorts, "regex": regexps}[os.Args[1]](n))
}
