/* What tree.c needs of image.c. Nobody outside of replica/tree includes it. */
#ifndef ZABFS_TREE_IMAGE_INTERNAL_H
#define ZABFS_TREE_IMAGE_INTERNAL_H

struct image_pass;

void image_pass_free(struct image_pass *pass); /* NULL is fine */

#endif
