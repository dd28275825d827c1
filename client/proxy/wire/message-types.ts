/** First bytes of the server's messages. Source: PostgreSQL's manual, "Message Formats". */
export const FROM_SERVER = {
  authentication: 0x52, // R
  backendKeyData: 0x4b, // K
  copyInResponse: 0x47, // G
  errorResponse: 0x45, // E
  negotiateProtocolVersion: 0x76, // v
  noticeResponse: 0x4e, // N
  parameterStatus: 0x53, // S
  readyForQuery: 0x5a, // Z
} as const;

/** First bytes of the client's messages. Source: PostgreSQL's manual, "Message Formats". */
export const FROM_CLIENT = {
  copyData: 0x64, // d
  copyDone: 0x63, // c
  copyFail: 0x66, // f
  flush: 0x48, // H
  functionCall: 0x46, // F
  /** Also SASLInitialResponse and SASLResponse. */
  password: 0x70, // p
  query: 0x51, // Q
  sync: 0x53, // S
  terminate: 0x58, // X
} as const;

/** What an authentication message of the server asks for, or says. */
export const AUTHENTICATION = {
  ok: 0,
  cleartextPassword: 3,
  md5Password: 5,
  sasl: 10,
  saslContinue: 11,
  saslFinal: 12,
} as const;

/** What stands in place of a protocol version in packets that have no type. */
export const REQUEST = {
  cancel: 80_877_102,
  ssl: 80_877_103,
  gssEncryption: 80_877_104,
} as const;
