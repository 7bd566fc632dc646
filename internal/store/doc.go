// Package store keeps everything the device holds, as rows of one SQLite file.
//
//	noun         table         key              order of lists
//	Document     documents     key              -
//	Certificate  certificates  id, name         adding
//	Key          keys          id               id
//	secret       secrets       name             -
//	Binding      bindings      purpose          purpose
//	Anchor       anchors       id, connection   adding
//	Connection   connections   name             adding
//	Renewal      renewals      id               starting
//	Owed         owed          certificate      adding
//	Event        events        id               happening
//	Token        tokens        id, hash         adding
//
// All access is through a [Tx] of [Store.Read] or [Store.Write]. Lists are never
// nil. A row that cannot be read breaks no list; what stands for it then is said
// at each noun. Deleting what people name (certificate, anchor, connection,
// token) and what is not there is CodeNotFound; deleting anything else twice is
// no error.
//
// Columns exist for what is stored field by field: times are RFC 3339 texts in
// UTC with nanoseconds, "" for the zero time; lists of words are joined by
// commas; certificates of a chain follow each other as DER. Request, renewal and
// event data are JSON, as nobody asks the database about their insides.
package store
