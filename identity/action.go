package identity

// Action is something that a principal may want to do.
type Action string

// The actions. Each route of the api declares one.
const (
	WorklistView    Action = "worklist.view"
	CalendarView    Action = "calendar.view" // who is booked when, without anything clinical
	PatientSearch   Action = "patient.search"
	VisitBook       Action = "visit.book"
	VisitMove       Action = "visit.move"
	VisitCancel     Action = "visit.cancel"
	VisitNoShow     Action = "visit.no-show"
	VisitView       Action = "visit.view"    // the clinician's workspace
	VisitInspect    Action = "visit.inspect" // how a call went, for a reason; no names, nothing clinical
	VisitAttend     Action = "visit.attend"  // the patient's or guest's own page: check, waiting, call
	VisitArrive     Action = "visit.arrive"
	VisitStart      Action = "visit.start"
	VisitEnd        Action = "visit.end" // for everybody
	VisitLeave      Action = "visit.leave"
	LinkCreate      Action = "link.create"
	LinkView        Action = "link.view"
	LinkRevoke      Action = "link.revoke"
	GuestInvite     Action = "guest.invite"
	RoomJoin        Action = "room.join"
	PeopleView      Action = "people.view" // the names of those in the room
	ConsentGive     Action = "consent.give"
	RecordingStart  Action = "recording.start"
	RecordingStop   Action = "recording.stop"
	RecordingView   Action = "recording.view"
	NoteView        Action = "note.view"
	NoteEdit        Action = "note.edit"
	NoteSign        Action = "note.sign"
	NoteAmend       Action = "note.amend"
	DeliveryView    Action = "delivery.view"
	DeliveryRetry   Action = "delivery.retry"
	EventsFollow    Action = "events.follow" // which visits changed, as ids
	AuditRead       Action = "audit.read"
	AuditExport     Action = "audit.export"
	AuditVerify     Action = "audit.verify"
	BoundaryView    Action = "boundary.view"
	StaffManage     Action = "staff.manage"
	SessionEnd      Action = "session.end"
	FHIRRead        Action = "fhir.read"
	FHIRWrite       Action = "fhir.write"
	FHIRAuditSearch Action = "fhir.audit-search"
)
