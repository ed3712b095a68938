/* Rounds of sites, as a table: who took part in which, and what each learned from. */
#include <math.h>

#include "html.h"
#include "page.h"

static void put_marks(FILE *to, const dt_joint *joint, const dt_joint_site *site) {
    int shown = joint->rounds < DT_JOINT_MARKS ? (int)joint->rounds : DT_JOINT_MARKS;
    fputs("<code>", to);
    for (int i = DT_JOINT_MARKS - shown; i < DT_JOINT_MARKS; i++)
        fputs(site->marks[i] == '1' ? "█" : site->marks[i] == '0' ? "▒" : "·", to);
    fputs("</code>", to);
}

/* What the recipe calls it, or else its number. */
static void put_name(FILE *to, const dt_view *view, int64_t number) {
    const dt_yaml *members = view->tree ? dt_yaml_get(view->tree, "sites.members") : NULL;
    const dt_yaml *member = members && members->kind == DT_YAML_MAP ? members->first : NULL;
    for (int64_t i = 0; member && i < number; i++) member = member->next;
    if (member && member->key)
        dt_html_text(to, member->key, false);
    else
        fprintf(to, "%lld", (long long)number);
}

static void put_site(FILE *to, const dt_view *view, const dt_joint_site *site) {
    const dt_joint *joint = &view->joint;
    fputs("<tr><th scope=row>", to);
    put_name(to, view, site->number);
    fprintf(to, "</th><td class=n>%lld</td><td class=n>%lld</td><td class=n>", (long long)site->took_part,
            (long long)site->left_out);
    dt_html_number(to, site->weight, 6);
    fputs("</td><td class=n>", to);
    dt_html_number(to, site->samples, 6);
    fputs("</td><td class=n>", to);
    dt_html_number(to, site->loss, 4);
    fputs("</td><td class=n>", to);
    if (isfinite(site->accuracy))
        fprintf(to, "%.2f\u202f%%", 100 * site->accuracy);
    else
        fputs("–", to);
    fputs("</td><td>", to);
    put_marks(to, joint, site);
    fputs("</td></tr>\n", to);
}

static void put_sites(FILE *to, const dt_view *view) {
    const dt_joint *joint = &view->joint;
    fputs("<div class=scroll><table class=sites><thead><tr><th>Site</th><th class=n>Rounds in</th><th "
          "class=n>Left out</th><th class=n>Weight of its last</th><th class=n>Samples of its last</th><th "
          "class=n>Loss</th><th class=n>Accuracy</th>"
          "<th>Last rounds, the newest last</th></tr></thead><tbody>\n",
          to);
    for (int i = 0; i < joint->site_count; i++) put_site(to, view, &joint->site[i]);
    fprintf(to, "</tbody></table></div><p class=note>█ its change is in the sum, ▒ it was chosen and its change is "
                "not, · it was not chosen. The weight is what its change "
                "counted for: its samples, or 1 (sites.weights); under masks only the sum of all is known. Samples, "
                "loss and accuracy are of what a site trained "
                "on, before the sum; a site that is elsewhere does not send them.");
    if (joint->site_count == DT_JOINT_SITES) fputs(" The sites that were met first are shown.", to);
    if (joint->incomplete > 0)
        fprintf(to, " Somebody who was chosen is left out of %lld of %lld rounds, the last of them round %.0f.",
                (long long)joint->incomplete, (long long)joint->rounds, joint->last_incomplete);
    fputs("</p>\n", to);
}

void dt_report_sites(FILE *to, const dt_view *views, int count) {
    bool begun = false;
    for (int j = 0; j < count; j++) {
        if (views[j].joint.site_count == 0) continue;
        if (!begun) fputs("<section id=sites><h2>Sites</h2>\n", to);
        begun = true;
        if (count > 1) {
            fprintf(to, "<h3><i class=\"key k%d\"></i>", j);
            dt_html_text(to, views[j].name, false);
            fputs("</h3>", to);
        }
        put_sites(to, &views[j]);
    }
    if (begun) fputs("</section>\n", to);
}
