/* What audits of a run found (dtrain audit), in a line. */
#include <string.h>

#include "html.h"
#include "page.h"

static void put_finding(FILE *to, const dt_audit_told *audit) {
    if (strcmp(audit->finding, "differs") == 0) {
        fputs("<strong>digests differ</strong> <small>first between steps ", to);
        dt_html_number(to, audit->from, 6);
        fputs(" and ", to);
        dt_html_number(to, audit->to, 6);
    } else if (strcmp(audit->finding, "contradicts") == 0) {
        fputs("<strong>files contradict each other</strong> <small>first at step ", to);
        dt_html_number(to, audit->to, 6);
    } else {
        fputs("all digests agree <small>a wrong step would have been found with probability ", to);
        dt_html_number(to, audit->probability, 4);
    }
}

void dt_report_audited(FILE *to, const dt_view *view) {
    const dt_story *story = &view->story;
    const dt_audit_told *audit = &story->audit;
    if (story->all_audits == 0) {
        fputs("–", to);
        return;
    }
    put_finding(to, audit);
    fputs(", ", to);
    dt_html_number(to, audit->steps, 6);
    fputs(" of ", to);
    dt_html_number(to, audit->of_steps, 6);
    fputs(" steps, ", to);
    dt_html_text(to, audit->time, false);
    if (story->all_audits > 1)
        fprintf(to, "; %lld audits, %lld of which found something", (long long)story->all_audits,
                (long long)story->bad_audits);
    fputs("</small>", to);
}
