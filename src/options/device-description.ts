/** What the host keeps of the device from which a user let an app in. Each is at most 200 characters; longer ones are cut. */
export interface DeviceDescription {
  /** How people call it, such as `Firefox on Windows`. */
  readonly name?: string | undefined
  /** Its IP address. */
  readonly ip?: string | undefined
  /** Where that is, such as `Berlin`. */
  readonly place?: string | undefined
}

/** The same as it is stored with a grant. */
export type KeptDevice = { readonly name?: string; readonly ip?: string; readonly place?: string }
