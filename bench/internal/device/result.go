package device

import "newleaf"

// Result is what Command walk prints, one value for each walk. Processor times
// are in RSAu, taken right before the walk; times are in milliseconds.
type Result struct {
	UnitMS     []float64                  `json:"unit"`      // RSAu
	Issue      []float64                  `json:"issue"`     // a walk that enrolls with a password
	Exchange   []float64                  `json:"exchange"`  // of it, the conversation with the authority
	Steps      map[newleaf.Step][]float64 `json:"steps"`     // of it, its steps
	Key        []float64                  `json:"key"`       // making the key, which the others do not hold
	Update     []float64                  `json:"update"`    // a walk that updates
	InUseMS    []float64                  `json:"inUseMs"`   // from "update now" until seen in use
	ThroughMS  []float64                  `json:"throughMs"` // until the replaced one is destroyed
	FirstMS    []float64                  `json:"firstMs"`   // from on trial to the end of the first handshake that shows it
	Handshakes int                        `json:"handshakes"`
	Failed     int                        `json:"failed"`
}
