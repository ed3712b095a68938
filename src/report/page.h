/* The page: what is said in words and tables is written here; plots are drawn by its script from the data at its end.
 */
#ifndef DTRAIN_PAGE_H
#define DTRAIN_PAGE_H

#include <stdio.h>

#include "view.h"

/* report.css and report.js, as C strings (embed.py). */
extern const char dt_report_style[], dt_report_script[];

void dt_report_page(FILE *to, const dt_view *views, int count);

/* sections.c: each writes a <section>, or nothing where there is nothing to show. */
void dt_report_summary(FILE *to, const dt_view *views, int count);
void dt_report_time(FILE *to, const dt_view *views, int count);
/* joint_section.c */
void dt_report_sites(FILE *to, const dt_view *views, int count);
void dt_report_samples(FILE *to, const dt_view *views, int count);
void dt_report_warnings(FILE *to, const dt_view *views, int count);
void dt_report_starts(FILE *to, const dt_view *views, int count);
void dt_report_recipes(FILE *to, const dt_view *views, int count);

/* verdict.c: what became of the run, in a sentence or two. */
void dt_report_verdict(FILE *to, const dt_view *view);
/* "running", "done", "stopped" or "broken off". */
const char *dt_report_state(const dt_view *view);
/* A figure's value as people read it: accuracies in per cent. */
void dt_report_figure(FILE *to, dt_figure figure, double value);

/* audited.c. What audits of the run found. */
void dt_report_audited(FILE *to, const dt_view *view);

#endif
