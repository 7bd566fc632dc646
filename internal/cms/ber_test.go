package cms

import (
	"bytes"
	"encoding/hex"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestNormalize(t *testing.T) {
	for _, tt := range []struct{ name, in, want string }{
		{"X.690 10.1 indefinite", "3080 020101 0000", "3003 020101"},
		{"X.690 10.1 nested indefinite", "3080 3180 0500 0000 0000", "3004 3102 0500"},
		{"X.690 10.1 definite in indefinite", "3080 3103 020101 0000", "3005 3103 020101"},
		{"X.690 10.1 indefinite in definite", "3007 3180 020101 0000", "3005 3103 020101"},
		{"X.690 10.1 long form", "308103 020101", "3003 020101"},
		{"X.690 10.1 leading zeros", "30880000000000000003 020101", "3003 020101"},
		{"X.690 10.1 one zero too many", "04820080" + strings.Repeat("00", 128), "048180" + strings.Repeat("00", 128)},
		{"X.690 10.1 long form of a primitive", "02820001 05", "0201 05"},
		{"X.690 10.2 one segment", "2405 0403 010203", "0403 010203"},
		{"X.690 10.2 joined", "2480 0401 01 0402 0203 0000", "0403 010203"},
		{"X.690 10.2 nested segments", "2480 2480 0401 01 0000 2403 0401 02 0000", "0402 0102"},
		{"X.690 10.2 no segments", "2480 0000", "0400"},
		{"context tags stay", "a080 2480 0401 aa 0000 0000", "a003 0401 aa"},
		{"T9 [0] IMPLICIT stays segmented", "a080 0401 aa 0401 bb 0000", "a006 0401 aa 0401 bb"},
		{"empty primitive", "0400", "0400"},
		{"zeros inside a primitive are no end", "3080 0402 0000 0000", "3004 0402 0000"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := Normalize(unhex(tt.in))
			if err != nil || !bytes.Equal(got, unhex(tt.want)) {
				t.Errorf("Normalize(%s) = %x, %v; want %s", tt.in, got, err, tt.want)
			}
		})
	}
}

func TestNormalizeKeepsDER(t *testing.T) {
	der := must(Sign([]byte("content"), p256().signer(), nil, nil))
	got, err := Normalize(der)
	if err != nil || &got[0] != &der[0] || len(got) != len(der) {
		t.Errorf("DER was copied or refused: %v", err)
	}
}

func TestNormalizeRefuses(t *testing.T) {
	big := bytes.Repeat([]byte{0xaa}, MaxSize)
	for _, tt := range []struct {
		name string
		in   []byte
		says string
	}{
		{"empty", nil, "cut off"},
		{"one byte", unhex("30"), "cut off"},
		{"plain text", []byte("<html>Service unavailable</html>"), "constructed tag"},
		{"plain text, capital", []byte("Service unavailable"), "left"},
		{"truncated content", unhex("3005 0201"), "left"},
		{"truncated length", unhex("3082 01"), "cut off"},
		{"content longer than its parent", unhex("3003 020301 0203"), "left"},
		{"indefinite without end", unhex("3080 020101"), "cut off"},
		{"end cut in half", unhex("3080 020101 00"), "cut off"},
		{"indefinite ends outside its parent", unhex("3004 3180 0500 0000"), "cut off"},
		{"indefinite primitive", unhex("0480 0000"), "indefinite"},
		{"end of contents as an element", unhex("3002 0000"), "tag 0x00"},
		{"reserved length", unhex("30ff 00"), "reserved"},
		{"length over the limit", unhex("3084 7fffffff 00"), "length over"},
		{"length that overflows", unhex("3089 ffffffffffffffffff"), "length over"},
		{"high tag number", unhex("bf8101 00"), "tag 0xbf"},
		{"constructed INTEGER", unhex("2203 020101"), "constructed tag"},
		{"foreign tag in OCTET STRING", unhex("2480 0201 01 0000"), "inside an OCTET STRING"},
		{"bytes after the end", unhex("0500 00"), "after the end"},
		{"bytes after an indefinite end", unhex("3080 0000 0a"), "after the end"},
		{"deeper than allowed", nested(MaxDepth+1, "30"), "deeper"},
		{"deeper than allowed, indefinite", bytes.Repeat(unhex("3080"), MaxSize/2), "deeper"},
		{"deeper than allowed, segments", bytes.Repeat(unhex("2480"), MaxSize/2), "deeper"},
		{"larger than allowed", appendHeader(nil, 4, MaxSize), "left"},
		{"larger than allowed, complete", append(appendHeader(nil, 4, MaxSize), big...), "more than"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Normalize(tt.in)
			wantError(t, err, ErrMalformed)
			if !strings.Contains(err.Error(), tt.says) {
				t.Errorf("error %q does not say %q", err, tt.says)
			}
		})
	}
}

func TestNormalizeDepth(t *testing.T) {
	deepest := nested(MaxDepth, "30")
	if got, err := Normalize(deepest); err != nil || !bytes.Equal(got, deepest) {
		t.Errorf("depth %d: %v", MaxDepth, err)
	}
}

// TestNormalizeWork bounds headers read, bytes shifted and allocations for inputs of 1 MiB made to be slow.
func TestNormalizeWork(t *testing.T) {
	fill := func(head, body, tail string) []byte {
		h, b, e := unhex(head), unhex(body), unhex(tail)
		out := append([]byte{}, h...)
		for len(out)+len(b)+len(e) <= MaxSize {
			out = append(out, b...)
		}
		return append(out, e...)
	}
	deep := strings.Repeat("3080", MaxDepth-2)
	deepEnd := strings.Repeat("0000", MaxDepth-2)
	for _, tt := range []struct {
		name string
		in   []byte
	}{
		{"empty elements", fill("3080", "0500", "0000")},
		{"empty indefinite sequences", fill("3080", "30800000", "0000")},
		{"empty segments", fill("2480", "0400", "0000")},
		{"one-byte segments", fill("2480", "0401aa", "0000")},
		{"segments in segments", fill("2480", "2480"+"0401aa"+"0000", "0000")},
		{"everything at the bottom", fill(deep, "0500", deepEnd)},
		{"deep towers side by side", fill("3080", deep+deepEnd, "0000")},
		{"DER but for the last length", append(appendHeader(nil, 0x30, MaxSize-6), fill("", "0500", "")[:MaxSize-9]...)},
		{"DER of small elements", append(appendHeader(nil, 0x30, MaxSize-6), fill("", "0500", "")[:MaxSize-6]...)},
		{"plain text", bytes.Repeat([]byte("all work and no play "), MaxSize/21)},
		{"zeros", make([]byte, MaxSize)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			z := normalizer{in: tt.in}
			out, err := z.run()
			t.Logf("%d bytes in, %d out, %d headers, %d bytes moved, %v", len(tt.in), len(out), z.nodes, z.moved, err)
			if z.nodes > len(tt.in)+1 {
				t.Errorf("%d headers for %d bytes", z.nodes, len(tt.in))
			}
			if z.moved > MaxDepth*len(tt.in) {
				t.Errorf("%d bytes moved for %d", z.moved, len(tt.in))
			}
			if cap(z.out) > len(tt.in)+len(tt.in)/64+1024 {
				t.Errorf("output of %d bytes for %d", cap(z.out), len(tt.in))
			}
			if allocs := testing.AllocsPerRun(3, func() { Normalize(tt.in) }); allocs > 16 {
				t.Errorf("%v allocations", allocs)
			}
		})
	}
}

// TestNormalizeProperty writes random trees once as DER and once as BER with random liberties.
func TestNormalizeProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		der, ber := drawTree(t, 6)
		got, err := Normalize(ber)
		if err != nil || !bytes.Equal(got, der) {
			t.Fatalf("Normalize(%x) = %x, %v; want %x", ber, got, err, der)
		}
	})
}

func drawTree(t *rapid.T, depth int) (der, ber []byte) {
	kind := rapid.SampledFrom([]byte{0x02, 0x04, 0x30, 0x31, 0xa0, 0x80}).Draw(t, "tag")
	if depth == 0 && kind&constructed != 0 {
		kind = 0x02
	}
	if kind&constructed != 0 {
		var d, b []byte
		for range rapid.IntRange(0, 4).Draw(t, "children") {
			cd, cb := drawTree(t, depth-1)
			d, b = append(d, cd...), append(b, cb...)
		}
		return encode(kind, d), loose(t, kind, b)
	}
	content := rapid.SliceOfN(rapid.Byte(), 0, 300).Draw(t, "content")
	if kind == tagOctets && rapid.Bool().Draw(t, "segmented") {
		return encode(kind, content), loose(t, kind|constructed, drawSegments(t, content, 3))
	}
	return encode(kind, content), loose(t, kind, content)
}

func drawSegments(t *rapid.T, content []byte, depth int) (out []byte) {
	for len(content) > 0 {
		n := rapid.IntRange(0, len(content)).Draw(t, "segment")
		part := content[:n]
		content = content[n:]
		if depth > 0 && rapid.Bool().Draw(t, "nested") {
			out = append(out, loose(t, tagOctets|constructed, drawSegments(t, part, depth-1))...)
		} else {
			out = append(out, loose(t, tagOctets, part)...)
		}
		if n == 0 && rapid.Bool().Draw(t, "rest") {
			return append(out, loose(t, tagOctets, content)...)
		}
	}
	return out
}

// loose encodes content under tag with any length that BER allows.
func loose(t *rapid.T, tag byte, content []byte) []byte {
	if tag&constructed != 0 && rapid.Bool().Draw(t, "indefinite") {
		return append(append([]byte{tag, 0x80}, content...), 0, 0)
	}
	if zeros := rapid.IntRange(0, 3).Draw(t, "zeros"); zeros > 0 {
		n := len(content)
		out := append([]byte{tag, 0x80 | byte(zeros+3)}, make([]byte, zeros)...)
		return append(append(out, byte(n>>16), byte(n>>8), byte(n)), content...)
	}
	return encode(tag, content)
}

func encode(tag byte, content []byte) []byte {
	return append(appendHeader(nil, tag, len(content)), content...)
}

// nested returns depth elements of the given tag, one inside the other.
func nested(depth int, tag string) []byte {
	var out []byte
	for range depth {
		out = encode(unhex(tag)[0], out)
	}
	return out
}

func unhex(s string) []byte { return must(hex.DecodeString(strings.ReplaceAll(s, " ", ""))) }
