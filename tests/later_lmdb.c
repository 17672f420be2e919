/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* To be preloaded: a liblmdb that says it is 1.0. */
char *mdb_version(int *major, int *minor, int *patch);
char *mdb_version(int *major, int *minor, int *patch)
{
	if (major)
		*major = 1;
	if (minor)
		*minor = 0;
	if (patch)
		*patch = 0;
	return (char *)"LMDB 1.0.0";
}
