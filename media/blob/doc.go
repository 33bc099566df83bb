// Package blob owns the object store: a directory ([Dir]) for one machine, or S3 ([S3]) for any server that speaks it.
//
// Both have the same methods and pass the same conformance suite: Put is all or nothing and durable when it returns, a reader
// never sees half an object, keys are checked, ranges are half-open as in HTTP, errors are those of this package. Consumers declare the
// few methods they use as an interface of their own.
//
// OpenS3 proves at start that the store does what is asked of it. A server that accepts the request for SSE-KMS and
// ignores it (some do) is refused, and so is one that cannot lock objects when retention is configured.
//
// Imports: aws-sdk-go-v2 (S3 and its transfer manager), the standard library.
//
// Never: it does not encrypt (callers hand it ciphertext; the store's own encryption is the second layer), it does not interpret
// keys, and no key, which could carry an identifier, enters its errors.
package blob
