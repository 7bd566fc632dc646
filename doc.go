// Package newleaf has the words and the decisions of a device that looks after
// its own certificates: when to update, what to delete, whom to believe. It
// imports only the standard library, never reads the clock and has no effects;
// everything that acts stands in internal/ and is tied together in cmd/newleaf.
//
// # The way of a certificate
//
//	step       what happens                                   decided by                done by
//	1 room     judge what will go, refuse what finds no room  DeletionPolicy.Plan,Admit agent
//	2 request  key, request, answer, checks                   enroll.Ladder, Check      scep <-> ca
//	3 keep     key and certificate become an entry            -                         store, keys
//	4 bind     the purposes move to it, on trial              Binding.Holder            deploy
//	5 restart  where a purpose reads it at the start          Settings.Need             host
//	6 prove    it is seen in use, or the old one is put back  Evidence                  deploy
//	7 delete   what is unnecessary goes, with its key         Agreed, StillUnused       store, keys
//
// One such way is a [Renewal]; [Reservation] starts it, or a person does. Read
// certificate.go, deletion.go and then internal/agent/renewal.go.
//
// # Words
//
//	certificate  an entry of the store: key pair, chain and provenance
//	purpose      what the device uses a certificate for; each has one holder
//	binding      for one purpose: the current certificate, the one on trial, the
//	             previous one, and the one its user has loaded
//	in use       in any part of a binding; derived, never stored
//	origin       factory, generated, enrolled or imported
//	request      the issuance form, kept as the template of the next update
//	reservation  when to update
//	rule         why a certificate is unnecessary
//	reason       why one stays
//	verdict      the judgment of one certificate: delete it or keep it
//	anchor       an authority's certificate that the device trusts
//	connection   how an authority is reached
//	renewal      one walk from wish to deletion, first issuance or update
//	target       a user of certificates on the device
//	evidence     how well a certificate's use is shown
//	owed         a deletion that waits for its time
//	settle       how long a replaced certificate can be put back
//
// IDs such as DLS-08, [0119] or F8-S821 name the requirement a line comes from;
// docs/requirements.md lists them with the tests that show them.
package newleaf
