// Command hotcut is the whole program: an edge that stands in front of two telephone platforms, and the verbs by which
// people see, move and take back the tenants behind it.
//
// It promises that stdout is data and stderr is talk, that nothing asks and nothing is coloured without a terminal,
// that every command speaks table, json, yaml and jsonl with one envelope for answers and errors alike, and that the
// exit codes never change their meaning (see exit.go).
//
// It refuses to decide: here are flags, wiring and printing, one file per verb. What may move whom is decided in
// migration, who is served where in policy. viper is known to config.go only.
//
// # Decisions
//
// A flag exists on the verbs where it does something and on no others: --dry-run, --yes, --reason, --incident and --wait
// on verbs that change, --at-rev on verbs that read the policy. An option that is accepted and ignored is worse at three
// in the morning than one that is refused.
//
// Towards core, one tenant is confirmed by y or --yes. Many are confirmed by their number, on a terminal as well as by
// --confirm N: a script that was written for twelve tenants must not move twelve hundred. The last step of all, done,
// is confirmed by the tenant's name, on a terminal or by --confirm NAME.
//
// Gates, tests and the default of unknown tenants are set by `hotcut policy set`, which the list of verbs did not name:
// without it they could only be set by importing a whole policy.
package main
