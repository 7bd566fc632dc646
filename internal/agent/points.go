package agent

// Points lists the points of a walk at which it can be stopped in the lab, in
// their order, with what has happened by then. A kill at any of them is resumed.
func Points() []Point { return append([]Point{}, points...) }

// Point is a named moment of a walk.
type Point struct{ Name, Means string }

var points = []Point{
	{"room", "step 1 begins: nothing is decided"},
	{"room.judged", "the plan of deletion is stored"},
	{"room.cleared", "order before: what was unused is deleted"},
	{"room.done", "step 1 is through"},
	{"request", "step 2 begins"},
	{"request.generated", "a key was made and is nowhere but in memory"},
	{"request.sealed", "the key is stored, sealed"},
	{"request.prepared", "everything is ready to be sent"},
	{"request.sending", "the store knows that a request goes out"},
	{"request.answered", "a good certificate is in memory"},
	{"request.staged", "the certificate is stored with the renewal"},
	{"request.cleared", "order on-response: what was unused is deleted"},
	{"request.done", "step 2 is through"},
	{"keep", "step 3 begins"},
	{"keep.done", "key and certificate are an entry of the store"},
	{"bind", "step 4 begins"},
	{"bind.trial", "the purposes are moved, on trial"},
	{"bind.handed", "a target was given the new certificate"},
	{"bind.put", "all targets that take it while running have it"},
	{"bind.done", "step 4 is through"},
	{"restart", "step 5 begins"},
	{"restart.wanted", "the renewal waits for a restart"},
	{"restart.noted", "the store knows that the device restarts"},
	{"restart.done", "no restart is needed any more"},
	{"prove", "step 6 begins"},
	{"prove.seen", "the targets were asked"},
	{"prove.back", "the proof failed: the old certificate is the holder again"},
	{"prove.done", "the new certificate is the current one"},
	{"delete", "step 7 begins"},
	{"delete.judged", "the plan was judged again under the settings in force"},
	{"destroy.begun", "the next key-encryption key is written"},
	{"destroy.committed", "certificates and keys are deleted, the rest is wrapped anew"},
	{"destroy.overwritten", "the old key-encryption key is overwritten"},
	{"delete.done", "the renewal is through"},
}
