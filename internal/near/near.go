package near

// Word returns the one of the words that is closest to a mistyped one, "" if none is
// close: at most two letters differ.
func Word(word string, words []string) string {
	best, bestDist := "", 3
	for _, w := range words {
		if d := distance(word, w); d < bestDist && d < len(w) {
			best, bestDist = w, d
		}
	}
	return best
}

// distance is the Levenshtein distance in bytes.
func distance(a, b string) int {
	prev := make([]int, len(b)+1)
	for j := range prev {
		prev[j] = j
	}
	for i := range len(a) {
		cur := make([]int, len(b)+1)
		cur[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			cur[j+1] = min(prev[j+1]+1, cur[j]+1, prev[j]+cost)
		}
		prev = cur
	}
	return prev[len(b)]
}
