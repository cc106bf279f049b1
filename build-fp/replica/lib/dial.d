build-fp/replica/lib/dial.o: replica/lib/dial.c replica/lib/dial.h \
 replica/lib/address.h replica/lib/check.h replica/lib/resolve.h
replica/lib/dial.h:
replica/lib/address.h:
replica/lib/check.h:
replica/lib/resolve.h:
