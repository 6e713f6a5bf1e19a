package record

import "strings"

// Hidden digits: however long country and area are said to be, the token stands for at least this many.
const minHidden = 6

// twoDigitCodes are the calling codes of two digits (ITU-T E.164 assignments). 1 and 7 have one digit, all others three.
const twoDigitCodes = "20 27 30 31 32 33 34 36 39 40 41 43 44 45 46 47 48 49 51 52 53 54 55 56 57 58 60 61 62 63 64 65 66 81 82 84 86 90 91 92 93 94 95 98"

// areaDigits is how many digits after the country say where a number is. Where areas differ in length (Germany has two to
// five digits), it is the shortest: too little is kept rather than too much. A country that is not listed keeps one, and
// those without areas none.
var areaDigits = map[string]int{
	"1": 3, "7": 3,
	"27": 2, "30": 2, "31": 2, "34": 2, "39": 2, "40": 2, "41": 2, "44": 2, "48": 2, "49": 2, "52": 2, "54": 2, "55": 2, "86": 2, "91": 2,
	"45": 0, "47": 0, "65": 0, "352": 0, "371": 0, "372": 0, "377": 0, "378": 0, "423": 0, "852": 0, "965": 0, "974": 0,
}

// splitNumber cuts "+E164" after its country and area.
func splitNumber(e164 string) (open, hidden string) {
	digits := strings.TrimPrefix(e164, "+")
	country := min(3, len(digits))
	switch {
	case digits[0] == '1' || digits[0] == '7':
		country = 1
	case len(digits) > 2 && strings.Contains(twoDigitCodes, digits[:2]):
		country = 2
	}
	area, listed := areaDigits[digits[:country]]
	if !listed {
		area = 1
	}
	n := country + max(0, min(area, len(digits)-country-minHidden))
	return "+" + digits[:n], digits[n:]
}
