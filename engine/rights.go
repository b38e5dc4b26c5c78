package engine

// Role is a set of roles that a peer holds at this node, by cookie or
// certificate. The zero value may do nothing.
type Role uint32

const (
	RolePeer   Role = 1 << 0 // be a member: messages, monitors, looking
	RoleUpload Role = 1 << 1 // put modules here
	RoleRun    Role = 1 << 2 // spawn here
	RoleLogs   Role = 1 << 3 // read the logs of any process
	RoleAdmin  Role = 1 << 4 // end any process, stop the node
)

// OpenRoles is what the cookie gives in open mode.
const OpenRoles = RolePeer | RoleUpload | RoleRun

// needs is the one table of which role a signal or a call of another node
// takes. What is not in it is refused.
var needs = map[string]Role{
	"signal:spawn":     RoleRun,
	"signal:down":      RolePeer,
	"signal:exit":      RolePeer,
	"signal:exit2":     RolePeer, // and the same origin, or admin
	"signal:monitor":   RolePeer,
	"signal:demonitor": RolePeer,
	"signal:unlink":    RolePeer,
	"signal:link":      RolePeer, // and the same origin, or the process traps exits
	"signal:message":   RolePeer,
	"signal:leader":    RolePeer, // and the same origin, or admin
	"signal:wait":      RolePeer,
	"signal:names":     RolePeer,
	"signal:io":        RolePeer, // and the leader's token
	"signal:reply":     RolePeer,

	"call:ping":            RolePeer,
	"call:status":          RolePeer,
	"call:ps":              RolePeer,
	"call:peers":           RolePeer,
	"call:load":            RolePeer,
	"call:connect":         RolePeer,
	"call:describe":        RolePeer,
	"call:started":         RolePeer,
	"call:whereis":         RolePeer,
	"call:logs":            RolePeer, // and the same origin, or the role logs
	"call:kill":            RolePeer, // and the same origin, or admin
	"call:stop":            RolePeer, // and the same origin, or admin
	"call:supervise.start": RoleRun,
	"call:supervise.ls":    RolePeer,
	"call:supervise.tree":  RolePeer,
	"call:supervise.stop":  RolePeer, // and the same origin, or admin
	"call:module.ls":       RolePeer,
	"call:module.inspect":  RolePeer,
	"call:module.get":      RolePeer,
	"call:module.add":      RoleUpload,
	"call:module.rm":       RoleUpload, // and the same origin, or admin
	"call:module.tag":      RoleUpload,
	"call:module.untag":    RoleUpload, // and the same origin, or admin
	"call:module.pin":      RoleUpload,
	"call:module.unpin":    RoleUpload, // and the same origin, or admin
	"call:module.gc":       RoleUpload, // and the same origin, or admin
	"call:module.verify":   RoleUpload, // and the same origin, or admin

	"stream:module": RolePeer,
}

// Allows reports whether the roles permit the action, "signal:", "call:" or
// "stream:" and its name. An action that the table does not know is refused.
func (r Role) Allows(action string) bool {
	need, ok := needs[action]
	return ok && r&need == need
}
