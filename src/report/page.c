#include "page.h"

#include "base/clock.h"
#include "data.h"
#include "html.h"

static void put_names(FILE *to, const dt_view *views, int count) {
    for (int i = 0; i < count; i++) {
        if (i > 0) fputs(", ", to);
        dt_html_text(to, views[i].name, false);
    }
}

static void put_head(FILE *to, const dt_view *views, int count) {
    fputs("<!DOCTYPE html>\n<html lang=en><head><meta charset=utf-8>"
          "<meta name=viewport content=\"width=device-width, initial-scale=1\">"
          "<meta name=color-scheme content=\"light dark\"><meta name=generator content=\"dtrain " DT_VERSION "\">\n"
          /* nothing comes from anywhere else, whatever a text of the page says */
          "<meta http-equiv=Content-Security-Policy content=\"default-src 'none'; style-src 'unsafe-inline'; "
          "script-src 'unsafe-inline'; base-uri 'none'; form-action 'none'\">\n<title>",
          to);
    put_names(to, views, count);
    fprintf(to, " · dtrain</title>\n<style>\n%s</style></head>\n", dt_report_style);
}

static void put_header(FILE *to, const dt_view *views, int count) {
    char now[32];
    dt_clock_utc(now);
    fputs("<header><h1>", to);
    put_names(to, views, count);
    if (count == 1)
        fprintf(to, " <span class=\"state %c\">%s</span>", dt_report_state(views)[0], dt_report_state(views));
    fputs("</h1>\n", to);
    for (int i = 0; i < count; i++) {
        fputs("<p class=verdict>", to);
        if (count > 1) {
            fprintf(to, "<i class=\"key k%d\"></i><b>", i);
            dt_html_text(to, views[i].name, false);
            fputs("</b> ", to);
        }
        dt_report_verdict(to, &views[i]);
        fputs("</p>\n", to);
    }
    fprintf(to, "<p class=note>As of <time>%s</time>, dtrain " DT_VERSION "</p></header>\n", now);
}

static void put_plots(FILE *to) {
    fputs(
        "<section id=plots><div class=bar-of-axes><h2>Course</h2><fieldset class=axis><legend>against</legend>"
        "<label><input type=radio name=axis value=step checked><span>step</span></label>"
        "<label><input type=radio name=axis value=epoch><span>epoch</span></label>"
        "<label><input type=radio name=axis value=seconds><span>time</span></label></fieldset></div>\n"
        "<div id=grid class=grid><noscript><p>Plots are drawn by a script in this page, which is off here. The tables "
        "need none.</p></noscript></div></section>\n",
        to);
}

void dt_report_page(FILE *to, const dt_view *views, int count) {
    put_head(to, views, count);
    fputs("<body><main>\n", to);
    put_header(to, views, count);
    dt_report_summary(to, views, count);
    put_plots(to);
    dt_report_sites(to, views, count);
    dt_report_time(to, views, count);
    fputs("<section id=evaluation hidden><h2>Evaluation</h2></section>\n", to);
    dt_report_samples(to, views, count);
    dt_report_warnings(to, views, count);
    dt_report_starts(to, views, count);
    dt_report_recipes(to, views, count);
    fputs("</main>\n<div id=tip hidden></div>\n<script type=\"application/json\" id=data>", to);
    dt_report_data(to, views, count);
    fprintf(to, "</script>\n<script>\n%s</script>\n</body></html>\n", dt_report_script);
}
