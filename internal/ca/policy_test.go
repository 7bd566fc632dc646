package ca

import (
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// base is a first request without credentials.
func base() Facts {
	return Facts{Now: start, Subject: "CN=a", SAN: []string{"dns:a"}, KeyAlgorithm: "RSA", KeyBits: 2048, KeyUse: KeyNew}
}

// signed is a renewal that deserves its certificate.
func signed() Facts {
	f := base()
	f.Live = 1
	f.Signer = &Signer{Ours: true, NotBefore: start.Add(-time.Hour), NotAfter: start.Add(time.Hour), Subject: "CN=a", SAN: []string{"dns:a"}}
	return f
}

func oneTimed() Facts {
	f := base()
	f.Challenge, f.OneTime = "once", &OneTime{Subject: "CN=a", Expires: start.Add(time.Minute)}
	return f
}

func TestJudge(t *testing.T) {
	static := Policy{Challenge: "secret", Live: 2}
	once := Policy{OneTime: true, Live: 2}
	both := Policy{Challenge: "secret", OneTime: true, Live: 2}
	approve := Policy{Challenge: "secret", OneTime: true, Approve: true, Live: 2}
	for _, tt := range []struct {
		name   string
		policy Policy
		facts  func() Facts
		change func(*Facts)
		want   Verdict
		why    string // part of the reason
	}{
		{"static challenge", static, base, func(f *Facts) { f.Challenge = "secret" }, Grant, ""},
		{"static challenge wrong", static, base, func(f *Facts) { f.Challenge = "Secret" }, Refuse, "is wrong"},
		{"no challenge", static, base, nil, Refuse, "no challenge password"},
		{"no challenge where only one-time ones are taken", once, base, nil, Refuse, "no challenge password"},
		{"one-time challenge", once, oneTimed, nil, Grant, ""},
		{"one-time challenge beside a static one", both, oneTimed, nil, Grant, ""},
		{"one-time challenge where it is not taken", static, oneTimed, nil, Refuse, "is wrong"},
		{"one-time challenge at its last moment", once, oneTimed, func(f *Facts) { f.Now = f.OneTime.Expires }, Grant, ""},
		{"one-time challenge expired", once, oneTimed, func(f *Facts) { f.Now = f.OneTime.Expires.Add(1) }, Refuse, "expired"},
		{"one-time challenge used", once, oneTimed, func(f *Facts) { f.OneTime.Used = true }, Refuse, "used already"},
		{"one-time challenge of another subject", once, oneTimed, func(f *Facts) { f.Subject = "CN=b" }, Refuse, "another subject"},
		{"one-time challenge never given out", once, oneTimed, func(f *Facts) { f.OneTime = nil }, Refuse, "is wrong"},

		{"signature", once, signed, nil, Grant, ""},
		{"signature beside a stale challenge", both, signed, func(f *Facts) { f.Challenge = "old" }, Grant, ""},
		{"challenge beside a worthless signature", both, signed, func(f *Facts) { f.Challenge, f.Signer.Ours = "secret", false }, Grant, ""},
		{"signature of a stranger", once, signed, func(f *Facts) { f.Signer.Ours = false }, Refuse, "not issued here"},
		{"signature of a CA or RA", once, signed, func(f *Facts) { f.Signer.Authority = true }, Refuse, "CA or RA"},
		{"signature revoked", once, signed, func(f *Facts) { f.Signer.Revoked = true }, Refuse, "revoked"},
		{"signature expired", once, signed, func(f *Facts) { f.Now = f.Signer.NotAfter.Add(1) }, Refuse, "expired"},
		{"signature at notAfter", once, signed, func(f *Facts) { f.Now = f.Signer.NotAfter }, Grant, ""},
		{"signature not valid yet", once, signed, func(f *Facts) { f.Now = f.Signer.NotBefore.Add(-1) }, Refuse, "not valid yet"},
		{"signature for another subject", once, signed, func(f *Facts) { f.Subject = "CN=b" }, Refuse, "another subject"},
		{"signature with more names", once, signed, func(f *Facts) { f.SAN = []string{"dns:a", "dns:b"} }, Refuse, "other alternative names"},
		{"signature with fewer names", once, signed, func(f *Facts) { f.SAN = nil }, Refuse, "other alternative names"},
		{"signature for the old key", once, signed, func(f *Facts) { f.KeyUse = KeyUsed }, Refuse, "new key"},
		{"signature, third certificate", once, signed, func(f *Facts) { f.Live = 2 }, Refuse, "as many"},

		{"approval of a challenge", approve, base, func(f *Facts) { f.Challenge = "secret" }, Queue, ""},
		{"approval of a signature", approve, signed, nil, Queue, ""},
		{"approval without credentials", approve, base, nil, Queue, ""},
		{"approval with a wrong challenge", approve, base, func(f *Facts) { f.Challenge = "wrong" }, Refuse, "is wrong"},

		{"1024-bit RSA", static, base, func(f *Facts) { f.Challenge, f.KeyBits = "secret", 1024 }, Grant, ""},
		{"1023-bit RSA", static, base, func(f *Facts) { f.Challenge, f.KeyBits = "secret", 1023 }, Refuse, "shorter"},
		{"256-bit ECDSA", static, base, func(f *Facts) { f.Challenge, f.KeyAlgorithm, f.KeyBits = "secret", "ECDSA", 256 }, Grant, ""},
		{"unknown key", static, base, func(f *Facts) { f.Challenge, f.KeyAlgorithm = "secret", "unknown" }, Refuse, "kind of key"},
		{"used key with challenge", static, base, func(f *Facts) { f.Challenge, f.KeyUse = "secret", KeyUsed }, Grant, ""},
		{"revoked key with challenge", static, base, func(f *Facts) { f.Challenge, f.KeyUse = "secret", KeyRevoked }, Refuse, "revoked"},
		{"no name at all", static, base, func(f *Facts) { f.Challenge, f.Subject, f.SAN = "secret", "", nil }, Refuse, "names no one"},
		{"alternative name only", static, base, func(f *Facts) { f.Challenge, f.Subject = "secret", "" }, Grant, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := tt.facts()
			if tt.change != nil {
				tt.change(&f)
			}
			got := tt.policy.Judge(f)
			if got.Verdict != tt.want || !strings.Contains(got.Reason, tt.why) {
				t.Errorf("Judge = %+v, want %s because %q", got, tt.want, tt.why)
			}
			if (got.Verdict == Refuse) != (got.FailInfo != "" && got.Reason != "") {
				t.Errorf("%+v: a refusal, and only a refusal, has failInfo and reason", got)
			}
		})
	}
}

func TestJudgeSpendsOneTimeChallengesOnly(t *testing.T) {
	p := Policy{Challenge: "secret", OneTime: true, Live: 2}
	withStatic := base()
	withStatic.Challenge = "secret"
	for name, tt := range map[string]struct {
		facts Facts
		want  bool
	}{"one-time": {oneTimed(), true}, "static": {withStatic, false}, "signature": {signed(), false}} {
		if got := p.Judge(tt.facts); got.Spend != tt.want {
			t.Errorf("%s: Spend = %v, want %v", name, got.Spend, tt.want)
		}
	}
}

// Whatever the facts: nothing is granted without one credential that is whole.
func TestJudgeGrantsNothingWithoutCredential(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		pick := func(name string) bool { return rapid.Bool().Draw(t, name) }
		p := Policy{Challenge: rapid.SampledFrom([]string{"", "secret"}).Draw(t, "static"), OneTime: pick("one-time"), Live: 2}
		f := base()
		f.Challenge = rapid.SampledFrom([]string{"", "secret", "once"}).Draw(t, "challenge")
		f.KeyUse = rapid.SampledFrom([]KeyUse{KeyNew, KeyUsed, KeyRevoked}).Draw(t, "key")
		f.Live = rapid.IntRange(0, 3).Draw(t, "live")
		if pick("known") {
			f.OneTime = &OneTime{Subject: rapid.SampledFrom([]string{"CN=a", "CN=b"}).Draw(t, "bound"), Expires: start.Add(time.Minute), Used: pick("used")}
		}
		if pick("signed") {
			f.Signer = &Signer{Ours: pick("ours"), Authority: pick("authority"), Revoked: pick("revoked"), Subject: "CN=a", SAN: f.SAN,
				NotBefore: start.Add(-time.Hour), NotAfter: start.Add(time.Duration(rapid.IntRange(-1, 1).Draw(t, "notAfter")) * time.Minute)}
		}
		static := p.Challenge != "" && f.Challenge == p.Challenge
		once := p.OneTime && f.Challenge != "" && f.OneTime != nil && !f.OneTime.Used && f.OneTime.Subject == "CN=a"
		s := f.Signer
		signature := s != nil && s.Ours && !s.Authority && !s.Revoked && !f.Now.After(s.NotAfter) && f.KeyUse == KeyNew && f.Live < 2
		want := f.KeyUse != KeyRevoked && (static || once || signature)
		if got := p.Judge(f); (got.Verdict == Grant) != want {
			t.Fatalf("Judge(%+v) = %+v, want granted %v", f, got, want)
		}
	})
}
