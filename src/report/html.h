/* Texts and numbers as HTML and JSON have them. What comes from files is somebody's: every text of them goes through
 * here, and none can end an element, a string or the script. */
#ifndef DTRAIN_HTML_H
#define DTRAIN_HTML_H

#include <stdbool.h>
#include <stdio.h>

/* Text for an element or an attribute in double quotes; what a terminal would obey, and what is no UTF-8, is shown as
 * base/escape.h has it. Ends of lines stay where `lines` says so. */
void dt_html_text(FILE *to, const char *text, bool lines);
/* A JSON string, in its quotes, for a <script>. */
void dt_html_json_text(FILE *to, const char *text);
/* The same with every character as it is, but for bytes that are no UTF-8: of what the script itself parses. */
void dt_html_json_raw(FILE *to, const char *text);
/* A JSON number, with the digits that tell it from all others; null where it is none. */
void dt_html_json_number(FILE *to, double value);
/* A number for people, in so many significant digits, with thin spaces between thousands: "9 375", "0.3671". */
void dt_html_number(FILE *to, double value, int digits);
/* Seconds for people: "41 s", "2 h 5 min". */
void dt_html_seconds(FILE *to, double seconds);

#endif
