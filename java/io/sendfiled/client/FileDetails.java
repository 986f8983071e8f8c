package io.sendfiled.client;

/**
 * What the daemon reports about a file beside its size and times, if the request had {@linkplain TransferOptions
 * options}. The file is the one that the daemon has opened, also if its name stands for another one by now.
 *
 * @param size the bytes of the whole file, whatever the range that was asked for
 * @param inode the file's inode, unsigned; with the device, it tells files apart
 * @param device the device that the file is on, {@code st_dev} of {@code stat(2)}
 * @param mode type and permissions, {@code st_mode} of {@code stat(2)}
 */
public record FileDetails(long size, long inode, long device, int mode) {}
