package ng

// A Response is what a command that was carried out brings. A command that was refused brings an error, a Reason.
type Response struct {
	SDP        string   // offer, answer
	Warning    string   // said beside a success
	Calls      []string // list: Call-IDs
	Report     *Report  // query, delete
	Statistics Dict     // statistics: the server's own
}

// readResponse reads what a server said to a command.
func readResponse(command Command, d Dict) (r Response, err error) {
	switch result := d.str("result"); {
	case result == "ok", result == "pong" && command == Ping:
	case result == string(ErrLoadLimit):
		return r, ErrLoadLimit
	case result == "error":
		if reason := d.str("error-reason"); reason != "" {
			return r, Reason(reason)
		}
		return r, Reason("no reason given")
	default:
		return r, Reason("no result that is known: " + result)
	}
	r.SDP, r.Warning, r.Calls, r.Statistics = d.str("sdp"), d.str("warning"), d.strs("calls"), d.dict("statistics")
	if _, reported := d["tags"]; reported {
		r.Report = readReport(d)
	}
	return r, nil
}

// dict is r as it is sent.
func (r *Response) dict(command Command) Dict {
	d := Dict{"result": "ok"}
	d.setStr("sdp", r.SDP)
	d.setStr("warning", r.Warning)
	if command == List {
		d["calls"] = listOf(r.Calls)
	}
	if r.Report != nil {
		r.Report.write(d)
	}
	if r.Statistics != nil {
		d["statistics"] = r.Statistics
	}
	return d
}

// errorDict is what a refused command gets.
func errorDict(err error) Dict {
	text := err.Error()
	return Dict{"result": "error", "error-reason": text[:min(len(text), 200)]}
}
