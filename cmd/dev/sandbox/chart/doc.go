// Package chart is the hospital's own screens: signing in, the patient list, the chart
// with its launch buttons, the documents received, and the panel of faults. Pages are
// rendered on the server, load nothing from elsewhere and run no script. It imports the
// sandbox's accounts, faults, fhirserver and smart packages and writes no resource.
package chart
