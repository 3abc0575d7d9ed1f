/* Runs the checks; see doctor.h. */
#include "doctor.h"

static const char *missing(enum doctor_need has)
{
    if (has < DOCTOR_NEEDS_SERVER)
        return "not without a connection";
    return has < DOCTOR_NEEDS_PRIMARY ? "not without a primary" : "not without the schema";
}

static void run_all(struct doctor *doctor, const struct doctor_check *checks)
{
    for (const struct doctor_check *check = checks; check->name; check++) {
        doctor->findings.subject = check->name;
        if (doctor->has < check->need)
            findings_skip(&doctor->findings, missing(doctor->has));
        else
            check->run(doctor);
    }
}

bool doctor_run(const struct config *config, FILE *out)
{
    struct doctor doctor = {.findings = {.out = out}, .config = config};
    run_all(&doctor, doctor_local_checks);
    run_all(&doctor, doctor_database_checks);
    run_all(&doctor, doctor_feed_checks);
    PQfinish(doctor.db);
    findings_sums(&doctor.findings);
    return doctor.findings.failed == 0;
}
