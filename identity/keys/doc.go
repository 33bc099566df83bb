// Package keys owns the key-encryption key of the installation, the data keys wrapped by it, and the sealers made of them.
//
// There are two levels. The key-encryption key stays in AWS KMS, or in a local file for development and for single machines
// whose disk is protected otherwise. Under it are data keys, stored wrapped by whoever uses them: one per organisation
// (columns, by [OrgSealer]) and one per recording (media/recorder). Destroying the wrapped form of a data key
// destroys everything it encrypted, in every copy and every backup.
//
// Rotation needs no downtime. A data key of an organisation is a ring: [Keys.Rotate] adds a new primary key and keeps
// the older ones for reading; once every row has been sealed again ([OrgKey.Current] tells), [Keys.Retire] drops them. The
// secret behind [OrgKey.Index] stays, because a changed digest would make every stored index unfindable. AWS KMS rotates
// its own key behind the same ARN; [RotateFile] does so for the local file.
//
// Wiping: [Wipe] overwrites a plain key when its owner is done with it. It is a reduction of exposure, not a guarantee:
// the Go runtime may have copied the bytes while growing a stack or collecting, Tink keeps its own copies inside
// primitives, and the kernel may have swapped them out. Turn swap off, or encrypt it, and disable core dumps.
//
// Imports: identity/phi, Tink, aws-sdk-go-v2 (KMS only).
//
// Never: it does not store wrapped keys (callers do), it does not log, it puts no key, plaintext or associated data into an error.
package keys
