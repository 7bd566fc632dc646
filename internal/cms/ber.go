package cms

// MaxSize is the largest input, in bytes, that the parsers of this package accept.
const MaxSize = 1 << 20

// MaxDepth is how deep elements may nest.
const MaxDepth = 32

// Normalize turns BER into DER as far as the structures of this package need it: indefinite and non-minimal lengths
// become minimal definite ones (X.690 section 10.1) and constructed OCTET STRINGs are joined (section 10.2).
// Values are not touched and SET OF is not sorted. DER comes back as the same slice.
//
// The input is one element, at most [MaxSize] long and nested at most [MaxDepth] deep; anything else is [ErrMalformed].
// Time and memory are linear in len(in).
func Normalize(in []byte) ([]byte, error) {
	z := normalizer{in: in}
	return z.run()
}

// normalizer rewrites one element. The counters let tests bound its work without a clock.
type normalizer struct {
	in    []byte
	pos   int
	out   []byte
	nodes int // headers read
	moved int // bytes shifted after a length turned out shorter than its reserve
}

// reserve is the room kept for a length that is not known yet: enough for any content of up to 16 MiB.
const reserve = 4

func (z *normalizer) run() ([]byte, error) {
	if len(z.in) > MaxSize {
		return nil, malformed("%d bytes, more than %d", len(z.in), MaxSize)
	}
	if h, err := readHeader(z.in); err == nil && h.size+h.length == len(z.in) && z.isDER(z.in, MaxDepth) {
		return z.in, nil
	}
	// An indefinite length costs 3 bytes, a definite one up to 4: the output can outgrow the input by
	// one byte for each element of 64 KiB or more.
	z.out = make([]byte, 0, len(z.in)+MaxDepth*(reserve+len(z.in)>>16))
	if err := z.element(len(z.in), MaxDepth, false); err != nil {
		return nil, err
	}
	if z.pos < len(z.in) {
		return nil, malformed("%d bytes after the end", len(z.in)-z.pos)
	}
	return z.out, nil
}

// isDER tells whether the elements that fill in need no rewriting.
func (z *normalizer) isDER(in []byte, depth int) bool {
	for len(in) > 0 {
		z.nodes++
		h, err := readHeader(in)
		if err != nil || depth == 0 || !h.minimal || h.length > len(in)-h.size || h.tag == tagOctets|constructed {
			return false
		}
		end := h.size + h.length
		if h.tag&constructed != 0 && !z.isDER(in[h.size:end], depth-1) {
			return false
		}
		in = in[end:]
	}
	return true
}

// element copies the element at pos, which must end before limit, to out. With join it must be a segment of a
// constructed OCTET STRING, and only its content is copied.
func (z *normalizer) element(limit, depth int, join bool) error {
	z.nodes++
	if depth == 0 {
		return malformed("nested deeper than %d", MaxDepth)
	}
	h, err := readHeader(z.in[z.pos:limit])
	if err != nil {
		return err
	}
	octets := h.tag&^constructed == tagOctets
	if join && !octets {
		return malformed("tag %#02x inside an OCTET STRING", h.tag)
	}
	z.pos += h.size
	if h.length > limit-z.pos {
		return malformed("length %d where %d bytes are left", h.length, limit-z.pos)
	}
	if h.tag&constructed == 0 {
		if !join {
			z.out = appendHeader(z.out, h.tag, h.length)
		}
		z.out = append(z.out, z.in[z.pos:z.pos+h.length]...)
		z.pos += h.length
		return nil
	}
	if join {
		return z.children(h, limit, depth-1, true)
	}
	if octets {
		h.tag = tagOctets
	}
	z.out = append(z.out, h.tag)
	z.out = append(z.out, make([]byte, reserve)...)
	start := len(z.out)
	if err := z.children(h, limit, depth-1, octets); err != nil {
		return err
	}
	z.close(start)
	return nil
}

// children copies what the constructed element h contains. pos is behind its header.
func (z *normalizer) children(h header, limit, depth int, join bool) error {
	if h.length >= 0 {
		limit = z.pos + h.length
	}
	for {
		if h.length >= 0 && z.pos == limit {
			return nil
		}
		if h.length < 0 && limit-z.pos >= 2 && z.in[z.pos] == 0 && z.in[z.pos+1] == 0 {
			z.pos += 2
			return nil
		}
		if err := z.element(limit, depth, join); err != nil {
			return err
		}
	}
}

// close writes the length of the content at start into the reserve before it and closes the gap.
func (z *normalizer) close(start int) {
	n := len(z.out) - start
	head := appendLength(z.out[:start-reserve], n)
	if gap := start - len(head); gap > 0 {
		z.moved += n
		copy(z.out[len(head):], z.out[start:])
		z.out = z.out[:len(head)+n]
	}
}

const (
	constructed = 0x20
	tagOctets   = 0x04
)

// header is the tag and length of an element.
type header struct {
	tag     byte
	length  int // -1 if indefinite
	size    int // of the header itself
	minimal bool
}

// readHeader reads the header at the start of in. It refuses what none of our structures uses: tags above 30,
// end-of-contents out of place, and constructed forms of universal types other than SEQUENCE, SET and OCTET STRING.
func readHeader(in []byte) (header, error) {
	if len(in) < 2 {
		return header{}, malformed("cut off inside a header")
	}
	h := header{tag: in[0], size: 2, minimal: true}
	switch number := h.tag & 0x1f; {
	case number == 0x1f, h.tag == 0:
		return header{}, malformed("tag %#02x", h.tag)
	case h.tag&0xe0 == constructed && number != tagOctets && number != 16 && number != 17:
		return header{}, malformed("constructed tag %#02x", h.tag)
	}
	first := in[1]
	switch {
	case first < 0x80:
		h.length = int(first)
		return h, nil
	case first == 0x80:
		if h.tag&constructed == 0 {
			return header{}, malformed("indefinite length of a primitive")
		}
		h.length, h.minimal = -1, false
		return h, nil
	case first == 0xff:
		return header{}, malformed("reserved length")
	}
	h.size += int(first & 0x7f)
	if h.size > len(in) {
		return header{}, malformed("cut off inside a length")
	}
	for _, b := range in[2:h.size] {
		if h.length = h.length<<8 | int(b); h.length > MaxSize {
			return header{}, malformed("length over %d", MaxSize)
		}
	}
	h.minimal = in[2] != 0 && h.length >= 0x80
	return h, nil
}

// appendHeader appends tag and the DER length n.
func appendHeader(b []byte, tag byte, n int) []byte { return appendLength(append(b, tag), n) }

func appendLength(b []byte, n int) []byte {
	switch {
	case n < 0x80:
		return append(b, byte(n))
	case n < 1<<8:
		return append(b, 0x81, byte(n))
	case n < 1<<16:
		return append(b, 0x82, byte(n>>8), byte(n))
	default:
		return append(b, 0x83, byte(n>>16), byte(n>>8), byte(n))
	}
}
