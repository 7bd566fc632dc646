package enroll

import "slices"

// Ladder lists the methods to try for one need, best first: the renewal message,
// a request signed by the present certificate, a request with the challenge
// password. Only a verified refusal climbs to the next (contract, "Renewal
// ladder"). A first issuance has the last rung alone, with or without a password.
func Ladder(c Capabilities, present, password bool) []Method {
	var rungs []Method
	if present && c.Renewal {
		rungs = append(rungs, ByRenewal)
	}
	if present {
		rungs = append(rungs, BySignature)
	}
	if password || !present {
		rungs = append(rungs, ByChallenge)
	}
	return rungs
}

// Next is the rung after m, "" at the top.
func Next(rungs []Method, m Method) Method {
	i := slices.Index(rungs, m)
	if i < 0 || i+1 == len(rungs) {
		return ""
	}
	return rungs[i+1]
}
