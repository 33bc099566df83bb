package web

// patientViews lists the views of templates/patient.
func patientViews() []View { return nil }
