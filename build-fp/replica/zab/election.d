build-fp/replica/zab/election.o: replica/zab/election.c \
 replica/zab/zab_internal.h replica/lib/check.h replica/zab/zab.h \
 replica/zab/message.h
replica/zab/zab_internal.h:
replica/lib/check.h:
replica/zab/zab.h:
replica/zab/message.h:
