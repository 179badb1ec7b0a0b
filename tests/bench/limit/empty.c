/* A process that does nothing: what any command costs at least. */
int main(void) { return 0; }
