package device

import "newleaf"

// Result is what Command walk prints. Times are milliseconds, one value for each
// walk.
type Result struct {
	UnitMS     float64                    `json:"unit"`      // RSAu
	IssueCPU   []float64                  `json:"issueCpu"`  // of a walk that enrolls with a password
	StepCPU    map[newleaf.Step][]float64 `json:"stepCpu"`   // of its steps
	UpdateCPU  []float64                  `json:"updateCpu"` // of an update
	KeyCPU     []float64                  `json:"keyCpu"`    // of the keys, which the others do not hold
	InUse      []float64                  `json:"inUse"`     // from "update now" until seen in use
	Through    []float64                  `json:"through"`   // until the replaced one is destroyed
	First      []float64                  `json:"first"`     // from stored to the end of the first handshake that shows it
	Handshakes int                        `json:"handshakes"`
	Failed     int                        `json:"failed"`
}
