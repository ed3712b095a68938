/* Pictures in folders: a folder for each class, and maybe one above for each part of the data. */
#ifndef DTRAIN_FOLDERS_H
#define DTRAIN_FOLDERS_H

#include <stdint.h>

#include "base/status.h"

typedef struct dt_listed {
    char *path;
    int32_t class; /* -1: in none */
} dt_listed;

typedef struct dt_folder {
    dt_listed *files; /* [count], by class and name */
    int64_t count, room;
    char **classes; /* [class_count], by name; 0: the pictures are in no folders */
    int32_t class_count;
    int64_t beneath; /* files in folders inside a class's */
    char *passed;    /* a file that is no picture by its name, or NULL, */
    int64_t passed_count;
} dt_folder;

/* Folders of a folder that has one for each part of the data: train, and maybe test and validation (or val, valid), and
 * no others; out[0] is that for training, and "" those that are not there. Of any other folder out[0] is itself. */
#define DT_FOLDER_PARTS 3
dt_status dt_folder_parts(char out[DT_FOLDER_PARTS][4096], const char *folder);

/* The pictures of folder/CLASS/, with those of folders inside it, or of the folder itself. What is hidden is passed
 * over; so is what by its name cannot be a picture, which is counted. To be finished, also after a failure. */
dt_status dt_folder_list(dt_folder *out, const char *folder);
/* Where one folder has all, and they lie deeper in it, its name says nothing that could be learned: refused. */
dt_status dt_folder_check_only(const dt_folder *listed, const char *folder);
void dt_folder_finish(dt_folder *folder);

#endif
