/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A heap of which the greatest item is taken, time and again (Williams, 1964): no input makes it slow. */
#include "base/sort.h"

struct items {
	unsigned char *first;
	size_t size; /* of one */
	int (*compare)(const void *a, const void *b);
};

static unsigned char *at(const struct items *items, size_t i)
{
	return items->first + i * items->size;
}

static void swap(const struct items *items, size_t i, size_t j)
{
	unsigned char *a = at(items, i), *b = at(items, j);

	for (size_t k = 0; k < items->size; k++) {
		unsigned char byte = a[k];

		a[k] = b[k];
		b[k] = byte;
	}
}

static void sift_down(const struct items *items, size_t i, size_t n)
{
	for (size_t child; (child = 2 * i + 1) < n; i = child) {
		if (child + 1 < n && items->compare(at(items, child), at(items, child + 1)) < 0)
			child++;
		if (items->compare(at(items, i), at(items, child)) >= 0)
			return;
		swap(items, i, child);
	}
}

void sm_sort(void *first, size_t n, size_t size, int (*compare)(const void *a, const void *b))
{
	const struct items items = {first, size, compare};

	for (size_t i = n / 2; i > 0; i--)
		sift_down(&items, i - 1, n);
	for (size_t i = n; i > 1; i--) {
		swap(&items, 0, i - 1);
		sift_down(&items, 0, i - 1);
	}
}
