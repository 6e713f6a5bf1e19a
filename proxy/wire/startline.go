package wire

// startLine reads the first line of raw and returns the offset after it, or 0 if raw
// ends before. A malformed line is still told to be a request or not, and its method is
// kept, so that its sender can be answered.
func (m *Message) startLine(raw []byte, lim *Limits) (next int, fault Fault) {
	end := 0
	for {
		end = control(raw, end)
		if end+1 >= len(raw) {
			return 0, FaultTruncated
		}
		if raw[end] == '\r' && raw[end+1] == '\n' {
			break
		}
		if fault == FaultNone {
			switch raw[end] {
			case '\r':
				fault = FaultBareCR
			case '\n':
				fault = FaultBareLF
			case '\t': // allowed in a Reason-Phrase, refused below anywhere else
			default:
				fault = FaultControl
			}
		}
		end++
	}
	m.StartLine = span(0, end+2)
	line := raw[:end]
	m.Request = !(len(line) >= 4 && EqualFold(line[:4], "SIP/"))
	var f Fault
	if m.Request {
		f = m.requestLine(line, lim)
	} else {
		f = m.statusLine(line)
	}
	if fault == FaultNone {
		fault = f
	}
	return end + 2, fault
}

// requestLine: Method SP Request-URI SP SIP-Version (RFC 3261 section 7.1).
func (m *Message) requestLine(line []byte, lim *Limits) Fault {
	i := skipClass(line, 0, len(line), cToken)
	m.Method = span(0, i)
	if i == 0 || i == len(line) || line[i] != ' ' {
		return FaultStartLine
	}
	start := i + 1
	for i = start; i < len(line) && line[i] > ' ' && line[i] < 0x7f; i++ {
	}
	if i == start || i == len(line) || line[i] != ' ' || line[start] == '<' {
		return FaultStartLine
	}
	if !isVersion(line[i+1:]) {
		return FaultStartLine
	}
	m.RequestURI = span(start, i)
	m.Version = span(i+1, len(line))
	if m.RequestURI.Len() > lim.URI {
		return FaultURITooLong
	}
	return FaultNone
}

// statusLine: SIP-Version SP Status-Code SP Reason-Phrase (RFC 3261 section 7.2). The
// phrase may be empty, its space may not.
func (m *Message) statusLine(line []byte) Fault {
	i := 4
	for i < len(line) && line[i] != ' ' {
		i++
	}
	if i == len(line) || !isVersion(line[:i]) {
		return FaultStartLine
	}
	m.Version = span(0, i)
	code := i + 1
	i = skipClass(line, code, len(line), cDigit)
	if i-code != 3 || i == len(line) || line[i] != ' ' || line[code] < '1' || line[code] > '6' {
		return FaultStatusCode
	}
	m.Status = int(line[code]-'0')*100 + int(line[code+1]-'0')*10 + int(line[code+2]-'0')
	m.Phrase = span(i+1, len(line))
	return FaultNone
}

// isVersion: "SIP" "/" 1*DIGIT "." 1*DIGIT, any case.
func isVersion(b []byte) bool {
	if len(b) < 4 || !EqualFold(b[:4], "SIP/") {
		return false
	}
	dot := skipClass(b, 4, len(b), cDigit)
	if dot == 4 || dot == len(b) || b[dot] != '.' || dot+1 == len(b) {
		return false
	}
	return skipClass(b, dot+1, len(b), cDigit) == len(b)
}
