/** Files of the image package (read-only), and the one file of the app that it may change. */
#ifndef APPLIBS_STORAGE_H
#define APPLIBS_STORAGE_H

#ifdef __cplusplus
extern "C" {
#endif

/** @return a path to be freed by the caller, or NULL with errno EFAULT, EINVAL (`/…`, `.…`, `..`),
 * ENOMEM */
char *Storage_GetAbsolutePathInImagePackage(const char *relativePath);

/** @return a descriptor to read from, or -1 with errno EFAULT, EINVAL, ENOMEM, ENOENT */
int Storage_OpenFileInImagePackage(const char *relativePath);

/**
 * Opens the mutable file, makes it if it is not there. Needs `MutableStorage`; a write beyond its
 * size fails with EDQUOT.
 * @return a descriptor at offset 0, or -1 with errno EACCES, EIO
 */
int Storage_OpenMutableFile(void);

/** @return 0, or -1 with errno EACCES, EIO, ENOENT */
int Storage_DeleteMutableFile(void);

#ifdef __cplusplus
}
#endif

#endif
