/** An exchange of SCRAM ends here: the other side is wrong, or does not know the password. */
export class ScramFailure extends Error {
  override readonly name = "ScramFailure";
}
