// Package mediabench measures the media node as docs of its peers were
// measured: the server alone on one core, the load on another, and a bare UDP
// relay in the same run as the floor that the kernel sets.
//
// Run starts its parts as child processes of the present executable, so
// whoever calls Run must give RunChild the control when started with
// Options.ChildArgs. It imports media and pion, and is part of no product
// binary.
package mediabench
