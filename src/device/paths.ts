/** Where a user types the code of a device, and answers it. */
export const DEVICE_PATH = '/oauth/device'
