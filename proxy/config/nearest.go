package config

import "strings"

// nearest is the word of known with the smallest edit distance to s, case aside; the first of several.
func nearest(s string, known []string) string {
	s = strings.ToLower(s[:min(len(s), 64)])
	best, at := "", 1<<30
	for _, k := range known {
		if d := distance(s, strings.ToLower(k)); d < at {
			best, at = k, d
		}
	}
	return best
}

// distance is Levenshtein's, in bytes.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
